/** No request or reply line is longer, its end not counted. */
export const MAX_LINE_BYTES = 4096;

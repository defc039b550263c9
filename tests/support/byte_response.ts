/** A response whose body is a byte stream, as that of a real request is. */
export function byteResponse(bytes: Uint8Array, init: ResponseInit = {}): Response {
  let at = 0;
  const body = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const request = controller.byobRequest!;
      const view = request.view as Uint8Array;
      const part = bytes.subarray(at, at + view.byteLength);
      view.set(part);
      at += part.length;
      if (part.length === 0) controller.close();
      request.respond(part.length);
    },
  });
  return new Response(body, init);
}

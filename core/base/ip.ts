/** Questions about IP addresses. */

/** Whether an address, without brackets, is one by which only its own machine can be reached. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

// A refused connection or an unknown host is known within milliseconds. The limit is for networks
// that drop packets in silence; they pay it once, until the stand-ins are there.
const PROBE_MS = 3000;

/** Whether `url` can be had; whatever goes wrong on the way is a no. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(PROBE_MS),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

export async function exists(path: string | URL): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

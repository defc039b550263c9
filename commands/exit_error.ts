/** Thrown by a command that has told all there is to tell, and ends with this code. */
export class ExitError extends Error {
  constructor(readonly exitCode: number) {
    super(`Finished with exit code ${exitCode}`);
  }
}

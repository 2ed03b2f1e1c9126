// Hides: how it is told that an engine could not do what it was asked for.

/** Its message is a sentence for the user. */
export class EngineError extends Error {
  /** @param {string} code "cancelled", "loading", "unreachable", "busy", or what the engine calls it */
  constructor(message, code, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

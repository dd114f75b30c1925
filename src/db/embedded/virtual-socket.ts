import { Duplex } from "node:stream";

/**
 * The socket that pg's `stream` option wants, over any duplex that can be dialled: it asks for one at `connect`,
 * which host and port do not matter to.
 */
export class VirtualSocket extends Duplex {
  readonly #dial: () => Promise<Duplex>;
  #inner: Duplex | undefined;

  constructor(dial: () => Promise<Duplex>) {
    super({ allowHalfOpen: false });
    this.#dial = dial;
  }

  connect(): this {
    this.#dial().then(
      (inner) => this.#attach(inner),
      (thrown: unknown) => this.destroy(thrown instanceof Error ? thrown : new Error(String(thrown))),
    );
    return this;
  }

  #attach(inner: Duplex): void {
    if (this.destroyed) return void inner.destroy();
    this.#inner = inner;
    inner.on("data", (bytes: Buffer) => this.push(bytes));
    inner.on("end", () => this.push(null));
    inner.on("close", () => this.destroy());
    inner.on("error", (error) => this.destroy(error));
    return void this.emit("connect");
  }

  // What pg calls on a TCP socket.
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  override _read(): void {
    // the inner stream pushes
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#inner === undefined) return done(new Error("not connected"));
    this.#inner.write(bytes);
    return done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), "utf8", done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#inner?.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // One half of a duplexPair learns of the other's end, not of its destruction.
    const inner = this.#inner;
    inner?.end(() => inner.destroy());
    done(error);
  }
}

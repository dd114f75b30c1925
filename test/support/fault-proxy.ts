import { once } from "node:events";
import net from "node:net";

/** What happens to a connection that is made. */
type Newcomer = "pass" | "silent" | "reset";

/** A TCP proxy between the product and a server, which breaks connections as networks do. */
export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** The same URL, through the proxy. */
  through(url: string): string;
  /** Delay of every chunk in each direction, in milliseconds, from now on. */
  latencyMs: number;
  /** `silent`: accepted and never answered; `reset`: accepted and reset. */
  newcomers: Newcomer;
  /** Resets every connection that there is (RST); says how many. */
  reset(): number;
  /** Closes every connection that there is (FIN), as a server does that ends in order; says how many. */
  drop(): number;
  /** From now on nothing passes on the connections that there are, not even their end; new ones are well. Says how many. */
  freeze(): number;
  /** The connection that next sends a chunk with this text to the server is reset `afterMs` later, before any answer. */
  resetAfter(text: string, afterMs: number): Promise<void>;
  /** The connection that next sends a chunk with this text goes half-open: the server hears it, and its answer is lost. */
  loseAnswerTo(text: string): Promise<void>;
  /** Connections that are open now. */
  readonly open: number;
}

interface Link {
  readonly near: net.Socket;
  readonly far: net.Socket;
  toServer: boolean;
  toClient: boolean;
}

interface Trap {
  readonly text: string;
  readonly spring: (link: Link) => void;
}

/** Listens on a free port of this machine, in front of the server of `url`. */
export async function faultProxy(url: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(url);
  const links = new Set<Link>();
  const mute = new Set<net.Socket>();
  const traps = new Set<Trap>();
  const server = net.createServer((near) => {
    near.on("error", () => undefined);
    if (proxy.newcomers === "reset") return void near.resetAndDestroy();
    if (proxy.newcomers === "silent") {
      mute.add(near.resume());
      return void near.on("close", () => mute.delete(near));
    }
    const link: Link = { near, far: net.connect(Number(port), hostname), toServer: true, toClient: true };
    links.add(link);
    const spring = (chunk: Buffer): void => {
      for (const trap of traps) {
        if (!chunk.includes(trap.text)) continue;
        traps.delete(trap);
        trap.spring(link);
      }
    };
    carry({ from: near, to: link.far, isOpen: () => link.toServer, latencyMs: () => proxy.latencyMs, onChunk: spring });
    carry({ from: link.far, to: near, isOpen: () => link.toClient, latencyMs: () => proxy.latencyMs });
    near.on("close", () => links.delete(link));
    return undefined;
  });
  const endAll = (end: (link: Link) => void): number => {
    const ended = [...links];
    for (const link of ended) end(link);
    return ended.length;
  };
  const trap = (text: string, spring: (link: Link) => void): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    traps.add({ text, spring: (link) => (spring(link), resolve()) });
    return promise;
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: own } = server.address() as net.AddressInfo;
  const proxy: FaultProxy = {
    port: own,
    latencyMs: 0,
    newcomers: "pass",
    through: (target) => {
      const changed = new URL(target);
      changed.host = `127.0.0.1:${own}`;
      return changed.href;
    },
    reset: () => endAll(resetLink),
    drop: () => endAll(({ near, far }) => (near.destroy(), far.destroy())),
    freeze: () => endAll((link) => Object.assign(link, { toServer: false, toClient: false })),
    resetAfter: (text, afterMs) =>
      trap(text, (link) => {
        link.toClient = false;
        setTimeout(() => resetLink(link), afterMs);
      }),
    loseAnswerTo: (text) => trap(text, (link) => Object.assign(link, { toClient: false })),
    get open() {
      return links.size;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of mute) socket.destroy();
      for (const { near, far } of links) for (const socket of [near, far]) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}

function resetLink({ near, far }: Link): void {
  near.resetAndDestroy();
  far.resetAndDestroy();
}

/** One direction of one connection: chunks in order, late by the latency, then its end; nothing while the direction is shut. */
interface Direction {
  readonly from: net.Socket;
  readonly to: net.Socket;
  readonly isOpen: () => boolean;
  readonly latencyMs: () => number;
  readonly onChunk?: (chunk: Buffer) => void;
}

function carry({ from, to, isOpen, latencyMs, onChunk }: Direction): void {
  let last = Promise.resolve();
  const inOrder = (act: () => void): void => {
    const ms = latencyMs();
    const due = ms === 0 ? Promise.resolve() : new Promise<void>((resolve) => setTimeout(resolve, ms));
    last = Promise.all([last, due]).then(() => {
      if (isOpen()) act();
    });
  };
  from.on("error", () => undefined);
  from.on("data", (chunk) => {
    onChunk?.(chunk);
    inOrder(() => void to.write(chunk));
  });
  from.on("end", () => inOrder(() => void to.end()));
  from.on("close", () => inOrder(() => void to.destroy()));
}

/** A cable that can be cut: passes bytes on to a port of this machine. */
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** Connections that were opened so far. */
  readonly opened: number;
  /** Ends all connections; new ones are accepted. */
  drop(): void;
  /** While down, what connects is cut off at once. */
  setDown(down: boolean): void;
  stop(): Promise<void>;
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isDown = false;
  let opened = 0;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // A cut cable is what this is for.
    socket.on("error", () => undefined);
  };
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    keep(client);
    if (isDown) {
      client.destroy();
      return;
    }
    opened++;
    const upstream = createConnection({ port: targetPort, host: "127.0.0.1" });
    keep(upstream);
    client.pipe(upstream).pipe(client);
    client.once("close", () => upstream.destroy());
    upstream.once("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get opened() {
      return opened;
    },
    drop,
    setDown(down) {
      isDown = down;
      if (down) drop();
    },
    async stop() {
      drop();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

import { buildConnector, Pool } from "undici";
import { SERVICE } from "../document.ts";
import { expectAnswer, type OpenVariant } from "../variant.ts";

/** Raw undici that calls the service by its name and, as where a sidecar captures what goes out, is connected to the sidecar instead. */
export const open: OpenVariant = async ({ addresses: [sidecar = ""], path }) => {
  const { hostname, port } = new URL(`http://${sidecar}`);
  const dial = buildConnector({});
  const pool = new Pool(`http://${SERVICE}`, {
    connect: (options, callback) => dial({ ...options, hostname, host: `${hostname}:${port}`, port }, callback),
  });
  return {
    async call() {
      const { statusCode, body } = await pool.request({ method: "GET", path });
      expectAnswer(statusCode, (await body.bytes()).length);
    },
    close: () => pool.destroy(),
  };
};

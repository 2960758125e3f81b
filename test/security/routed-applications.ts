import type { IncomingMessage, ServerResponse } from "node:http";
import { posix } from "node:path";
import type { Servable } from "@heddle/http";
import express from "express";
import fastify from "fastify";

/** Applications that serve `/admin` and all below it, each routing its own way, and answer `served admin` there and `served other` elsewhere. */
export type RoutedApplication = keyof typeof ROUTED_APPLICATIONS;

export const ROUTED_APPLICATIONS = {
  /** By the URL standard. */
  "node:http": () => served((target) => new URL(target, "http://reviews").pathname),
  /** By what stands before the query, as many applications do by hand. */
  "node:http, by hand": () => served((target) => target.replace(/^https?:\/\/[^/]*/, "").split("?")[0] ?? ""),
  /** By the file system's rules, as file servers do: escapes are decoded, dots resolved. */
  "node:http, files": () =>
    served((target) => posix.normalize(decodeURIComponent((target.replace(/^https?:\/\/[^/]*/, "") || "/").split("?")[0] ?? ""))),
  "Express 5": () => {
    const app = express();
    app.set("case sensitive routing", true);
    app.use("/admin", (_request, response) => void response.send("served admin"));
    app.get("/admin/*rest", (_request, response) => void response.send("served admin"));
    app.use((request, response) => void response.send(`served other ${request.path}`));
    return app as Servable;
  },
  "Express 5, with its own defaults": () => {
    const app = express();
    app.get(["/admin", "/admin/*rest"], (_request, response) => void response.send("served admin"));
    app.use((_request, response) => void response.send("served other"));
    return app as Servable;
  },
  "Fastify 5": () => {
    const app = fastify();
    app.get("/admin", () => "served admin");
    app.get("/admin/*", () => "served admin");
    app.get("/*", () => "served other");
    return app as Servable;
  },
} as const;

function served(pathOf: (target: string) => string): Servable {
  return (request: IncomingMessage, response: ServerResponse) => {
    let path: string;
    try {
      path = pathOf(request.url ?? "");
    } catch {
      response.writeHead(400).end("no path");
      return;
    }
    response.end(path === "/admin" || path.startsWith("/admin/") ? "served admin" : "served other");
  };
}

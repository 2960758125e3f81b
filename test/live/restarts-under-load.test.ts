import { http } from "./http.ts";
import { testRestarts } from "./restarts.ts";

testRestarts(http);

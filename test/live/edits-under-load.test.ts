import { testEdits } from "./edits.ts";
import { http } from "./http.ts";

testEdits(http);

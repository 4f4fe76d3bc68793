// SPDX-License-Identifier: Apache-2.0
// agree.mjs TABLE VALIDATE: each row "SCHEMA<tab>valid|invalid<tab>JSON" must be what it says, for ajv and for our validator.
import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";

const require = createRequire(process.env.AJV_DIR + "/");
const Ajv = require("ajv/dist/2020").default;
const [table, validate] = process.argv.slice(2);
const rows = readFileSync(table, "utf8").split("\n").filter((l) => l && !l.startsWith("#")).map((l) => l.split("\t"));
const schemas = new Map();
for (const [schema, expected, json] of rows) {
	if (!schemas.has(schema)) schemas.set(schema, []);
	schemas.get(schema).push({ expected, json });
}
let wrong = 0;
for (const [schema, list] of schemas) {
	const check = new Ajv({ strict: true, strictTypes: false }).compile(JSON.parse(readFileSync(schema, "utf8")));
	const ours = execFileSync(validate, [schema], { input: list.map((r) => r.json + "\n").join("") }).toString().split("\n");
	list.forEach((r, i) => {
		const theirs = check(JSON.parse(r.json)) ? "valid" : "invalid";
		const our = ours[i].split(" ")[0];
		if (theirs === r.expected && our === r.expected) return;
		wrong++;
		console.log(`${schema}: ${r.json}: the table says ${r.expected}, ajv ${theirs}, we ${ours[i]}`);
	});
}
const valid = rows.filter((r) => r[1] === "valid").length;
console.log(`${rows.length} configs, ${valid} valid, ${rows.length - valid} not; ${wrong} not as they should be`);
process.exit(wrong ? 1 : 0);

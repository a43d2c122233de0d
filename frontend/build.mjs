// Builds the operators' stylesheet, script, fonts and icons into the package. Run: npm ci && npm run build
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const ui = "../src/nudgepay/web/ui";
const served = "../src/nudgepay/web/static";
const fonts = "node_modules/@fontsource-variable/inter/files";

mkdirSync(served, { recursive: true });
for (const subset of ["latin", "latin-ext"])
  copyFileSync(`${fonts}/inter-${subset}-wght-normal.woff2`, `${served}/inter-${subset}.woff2`);

const icons = JSON.parse(readFileSync("icons.json", "utf8"));
const inside = Object.fromEntries(
  Object.entries(icons).map(([ours, theirs]) => {
    const source = readFileSync(`node_modules/lucide-static/icons/${theirs}.svg`, "utf8");
    const shapes = source.slice(source.indexOf(">", source.indexOf("<svg")) + 1, source.indexOf("</svg>"));
    return [ours, shapes.replace(/\s+/g, " ").replace(/ \/>/g, "/>").trim()];
  }),
);
writeFileSync(`${ui}/icons.json`, JSON.stringify(inside, null, 1) + "\n");

execFileSync("node_modules/.bin/tailwindcss", ["--input", "app.css", "--output", `${served}/app.css`, "--minify"], {
  stdio: ["ignore", "ignore", "inherit"],
});
await build({ entryPoints: ["app.js"], outfile: `${served}/app.js`, bundle: true, minify: true, format: "iife", target: "es2022", legalComments: "none" });

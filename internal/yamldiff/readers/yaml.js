process.stdout.write(JSON.stringify(require("yaml").parse(require("fs").readFileSync(0, "utf8"), { maxAliasCount: 0 })))

process.stdout.write(JSON.stringify(require("js-yaml").load(require("fs").readFileSync(0, "utf8"))))

import json, sys, ruamel.yaml
json.dump(ruamel.yaml.YAML(typ="safe", pure=True).load(sys.stdin.buffer), sys.stdout)

import json, sys, yaml
json.dump(yaml.load(sys.stdin.buffer, Loader=yaml.CSafeLoader), sys.stdout)

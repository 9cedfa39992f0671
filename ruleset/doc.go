package ruleset

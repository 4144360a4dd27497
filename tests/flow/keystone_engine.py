"""Keystone's own engine (Debian's python3-keystone, schema 1.0): a list of { rules, assertion } on standard input, a list of what it maps, or { error }."""
import json
import sys

from keystone.federation import utils

out = []
for case in json.load(sys.stdin):
    try:
        out.append(utils.RuleProcessor("tidelock", case["rules"]).process(case["assertion"]))
    except Exception as error:  # what it answers to a bad mapping is part of what is compared
        out.append({"error": type(error).__name__})
json.dump(out, sys.stdout)

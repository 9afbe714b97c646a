"""pytest -p exchange_plugin: writes every exchange of tests to the file PMHGW_EXCHANGES, a line each, for tests/npm/contract.mjs. The door is told by the path, since each rig has ports of its own."""

import json
import os

import exchange

DOORS = (("/v1/clinic", "clinic"), ("/v1/portal", "portal"), ("/.well-known", "portal"), ("/oauth2", "municipal"), ("/v1/", "municipal"))


class EveryPort(dict):
    def get(self, port, otherwise=None):
        return "?"


def door_of(one):
    if one["url"].startswith("/fhir/"):
        return "portal" if "pseudonym=" in (one["body"] or "") else "clinic"
    return next((door for path, door in DOORS if one["url"].startswith(path)), None)


def pytest_configure(config):
    config.exchanges = exchange.Exchanges()
    config.exchanges.ports = EveryPort()
    config.exchanges.watch()


def pytest_unconfigure(config):
    with open(os.environ["PMHGW_EXCHANGES"], "a", encoding="utf-8") as out:
        for one in config.exchanges.kept:
            one["door"] = door_of(one)
            if one["door"]:
                out.write(json.dumps(one) + "\n")

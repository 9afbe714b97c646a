#!/usr/bin/env python3
"""docs/pia-annex.md is what the register of legal bases and the tables of routes say (config/pia-annex)."""

import subprocess

import tree

made = subprocess.run([tree.ROOT / "config/pia-annex", "--check"], capture_output=True, text=True)
said = (made.stdout + made.stderr).strip().split("\n")[-1]
tree.finish("PIA annex", [] if made.returncode == 0 else [said], 1)

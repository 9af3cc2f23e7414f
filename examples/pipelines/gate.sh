#!/usr/bin/env bash
# One step of any pipeline: audit a model, print the verdict, stop the pipeline unless it passes.
#
#   gate.sh SPEC POLICY [FOLDER]
#
# SALIENCE_URL says where the service is, SALIENCE_API_KEY lets us in; FOLDER gets junit.xml and summary.md. The exit
# status is the gate's: 0 pass, 1 fail or inconclusive, 2 error.
set -euo pipefail

spec=$1 policy=$2 folder=${3:-.}
mkdir -p "$folder"

# A step that is run again pays only for what its first run had not computed yet.
exec salience submit "$spec" --gate "$policy" --wait --junit "$folder/junit.xml" --markdown "$folder/summary.md"

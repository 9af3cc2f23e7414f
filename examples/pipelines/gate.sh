#!/usr/bin/env bash
# A step for any pipeline: audits a model, prints the verdict and fails unless the model passes.
#
#   gate.sh SPEC POLICY [FOLDER]
#
# SALIENCE_URL is the URL of the service and SALIENCE_API_KEY an API key. The step writes junit.xml and summary.md to
# FOLDER. The exit status is that of the gate: 0 pass, 1 fail or inconclusive, 2 error.
set -euo pipefail

spec=$1 policy=$2 folder=${3:-.}
mkdir -p "$folder"

# A second run of the step computes only the values that the first run did not store.
exec salience submit "$spec" --gate "$policy" --wait --junit "$folder/junit.xml" --markdown "$folder/summary.md"

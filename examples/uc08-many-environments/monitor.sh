#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# monitor.sh - gives Prometheus its list of whom to watch; it reads it anew when it gets the signal HUP.
set -eu
cd "$(dirname "$0")"
docker cp prometheus.yml prometheus:/etc/prometheus/prometheus.yml
docker kill --signal HUP prometheus

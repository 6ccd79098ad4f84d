#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes down what run.sh has made.
set -eu

docker rm -f -v rabbitmq order-service inventory-service payment-service email-service notification-service analytics-service
docker network rm event-bus-net

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes down what run.sh has made.
set -eu

docker rm -f user-service product-service order-service payment-service inventory-service notification-service
docker network rm ecommerce-net

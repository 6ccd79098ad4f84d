#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Use case 7: WordPress between two networks, its database and its cache behind it, nginx in front.
set -eu
cd "$(dirname "$0")"

# nginx.conf wants the certificate that certbot would have put here; without one, one that nobody has signed
live=/etc/letsencrypt/live/blog.example.test
if [ ! -e $live/fullchain.pem ]; then
	mkdir -p $live
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=blog.example.test -addext subjectAltName=DNS:blog.example.test \
		-keyout $live/privkey.pem -out $live/fullchain.pem 2>/dev/null
fi

# Create networks
docker network create wordpress-frontend
docker network create wordpress-backend

# MySQL Database (backend network only)
docker run -d \
  --name wordpress-mysql \
  --network wordpress-backend \
  -e MYSQL_ROOT_PASSWORD=rootpass \
  -e MYSQL_DATABASE=wordpress \
  -e MYSQL_USER=wpuser \
  -e MYSQL_PASSWORD=wppass \
  -v wordpress-db:/var/lib/mysql \
  mysql:8.0

# WordPress Application (both networks)
docker run -d \
  --name wordpress-app \
  --network wordpress-frontend \
  -e WORDPRESS_DB_HOST=wordpress-mysql \
  -e WORDPRESS_DB_USER=wpuser \
  -e WORDPRESS_DB_PASSWORD=wppass \
  -e WORDPRESS_DB_NAME=wordpress \
  -v wordpress-files:/var/www/html \
  wordpress:latest

docker network connect wordpress-backend wordpress-app

# Nginx Reverse Proxy (frontend network only)
docker run -d \
  --name nginx-proxy \
  --network wordpress-frontend \
  -p 80:80 \
  -p 443:443 \
  -v /etc/letsencrypt:/etc/letsencrypt:ro \
  -v ./nginx.conf:/etc/nginx/nginx.conf:ro \
  nginx:alpine

# Redis Cache (backend network) - Optional but recommended
docker run -d \
  --name wordpress-redis \
  --network wordpress-backend \
  redis:alpine

# wordpress-redis is on that network since it was started: the engine says so, and refuses
docker network connect wordpress-backend wordpress-redis || true

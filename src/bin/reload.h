/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reload.h - SIGHUP: the configuration is read again */
#pragma once

struct daemon_config;
struct engine;

/* Applies what may change, says in the log what changed and what waits for a restart, and tells it
 * to those who listen to events (daemon reload). */
void config_reload(struct daemon_config *c, int argc, char **argv, struct engine *en);

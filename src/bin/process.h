/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * process.h - atolld as the system sees it: limits, pid file, service manager
 *
 * Source: sd_notify(3) (the protocol, not the library).
 */
#pragma once

#include "base/err.h"

struct daemon_config;

/* log, umask, SIGPIPE, open files up to the hard limit; tells which options have no effect */
void process_setup(const struct daemon_config *c);
int pidfile_write(const char *path /* "": none */, struct err *e) MUST_CHECK;
void pidfile_remove(const char *path);
/* "READY=1" and the like to $NOTIFY_SOCKET; without one: nothing */
void service_notify(const char *state);

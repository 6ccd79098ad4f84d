/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isolate.h - what atoll-dns gives up before it reads the first foreign byte, in five stages
 *
 * Called in this order, by main alone. The idea of named stages is passt's.
 * Sources: capabilities(7), seccomp(2), prctl(2), close_range(2).
 */
#pragma once

#include "base/err.h"

int isolate_initial(struct err *e) MUST_CHECK; /* inherited descriptors, signals, file modes */
/* ... the control socket is opened here ... */
int isolate_limits(struct err *e) MUST_CHECK;	  /* resources */
int isolate_user(struct err *e) MUST_CHECK;	  /* a user of its own, no groups */
int isolate_privileges(struct err *e) MUST_CHECK; /* no capabilities, none to be had, no dumps */
int isolate_syscalls(struct err *e) MUST_CHECK;	  /* the system calls that are needed */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * heap.h - what the allocator holds and nobody uses goes back to the kernel
 *
 * Objects come and go between those that stay, so the C library gives back little by itself
 * (malloc_trim(3), mallopt(3)). After something happened the free pages are given back in a timer
 * of the loop, in no operation's way, at most once a second.
 */
#pragma once

#include "base/err.h"
#include "loop/loop.h"

struct heap;

/* Sets the allocator's thresholds, too: of the process, so at its start. -ENOMEM, -errno */
int heap_open(struct loop *l, struct heap **ret) MUST_CHECK;
void heap_close(struct heap *h); /* NULL allowed */
void heap_used(struct heap *h);	 /* something happened; NULL allowed */

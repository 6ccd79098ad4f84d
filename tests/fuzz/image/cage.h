/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cage.h - a place to unpack what a fuzzer thinks of
 *
 * Before main() the process enters a user and a mount namespace of its own, with a small tmpfs that
 * has the directories root and beside: the second must stay as it is.
 */
#pragma once

#include <stdint.h>
#include <stdlib.h>

int cage_root(void);	   /* opened, empty */
void cage_check(int root); /* nothing was made outside; closes and empties root */
int cage_file(const uint8_t *data, size_t n); /* a descriptor to read it from, -1 none */

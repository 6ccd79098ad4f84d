/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * envfile.h - environment variables and labels of the command line and of files
 *
 * A file has a NAME=value a line; empty lines and lines that begin with '#' are skipped. A name
 * alone takes the value of our own environment, in a file only if there is one.
 */
#pragma once

#include "base/err.h"

int check_env(const char *value, struct err *e); /* for struct opt */
/* files first, then @own; NULL lists are empty */
int env_collect(char *const *files, char *const *own, char ***ret, struct err *e) MUST_CHECK;
/* the same for labels, which take nothing from the environment */
int labels_collect(char *const *files, char *const *own, char ***ret, struct err *e) MUST_CHECK;

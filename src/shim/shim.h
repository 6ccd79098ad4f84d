/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shim.h - the program that stands beside a container; what it says and hears is in base/shim.h */
#pragma once

int shim_main(int argc, char **argv);

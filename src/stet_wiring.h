/*
 * The list of modules a real engine has; for tests that open one with seams of their own.
 */
#ifndef STET_WIRING_H
#define STET_WIRING_H

#include "core/module.h"

extern const struct module *const stet_modules[];

#endif

/* Asserts that stay on in production: pre-conditions, invariants, magic numbers. Never used on
 * input from outside; a failed must() is a defect of ours, and stopping is safer than going on,
 * because every promise this server makes is kept by PostgreSQL and survives the stop. */
#pragma once

_Noreturn void must_fail(const char *what, const char *file, int line);

#define must(condition) ((condition) ? (void) 0 : must_fail(#condition, __FILE__, __LINE__))

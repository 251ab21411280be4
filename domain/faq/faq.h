/* Questions and answers: USR-61, 62. */
#pragma once

#include "domain/app.h"

extern const struct endpoint faq_endpoints[];

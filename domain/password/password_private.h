/* What the files of password share. */
#pragma once

#include "domain/password/password.h"

void password_request(struct http_request *req);   /* USR-05 */
void password_reset(struct http_request *req);     /* USR-06 */
void password_update(struct http_request *req);    /* USR-07 */

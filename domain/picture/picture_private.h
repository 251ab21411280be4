/* What the files of picture share. */
#pragma once

#include "domain/picture/picture.h"

void picture_show_profile(struct http_request *req);   /* USR-45 */
void picture_show_offer(struct http_request *req);     /* USR-71 */

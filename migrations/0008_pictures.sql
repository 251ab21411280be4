-- Pictures that are to go: keys of the store, read by domain/picture/removal.c as the other outboxes are.
--
-- A key stands here from before its picture is stored, due when that must be over; the statement that names the picture in a row takes it
-- out, and puts in the former one's. So whatever dies at whatever moment, a picture that no row names is removed, and one that a row
-- names is not.
CREATE TABLE picture_removals (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key         text NOT NULL,              -- as users.avatar_key
    status      text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'given_up')),
    attempts    int NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX picture_removals_due ON picture_removals (next_try_at) WHERE status = 'waiting';
CREATE INDEX picture_removals_key ON picture_removals (key);

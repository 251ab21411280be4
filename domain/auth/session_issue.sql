-- A new session. Its jti begins with the moment of issue by the database's clock (microseconds, 14 hex digits), so that
-- "issued before the password changed" can be told from the token alone.
-- $1 user, $2 life in seconds, $3 surface
-- One row: jti, issued and expiry in seconds since 1970.
INSERT INTO sessions (jti, user_id, surface, expires_at)
VALUES (new_jti(), $1::bigint, $3::text,
        now() + $2::bigint * interval '1 second')
RETURNING jti, extract(epoch FROM issued_at)::bigint, extract(epoch FROM expires_at)::bigint

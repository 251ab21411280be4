-- USR-33: the ways to pay, with their channels.
-- One row: an array of ways.
SELECT coalesce(json_agg(json_build_object('payment_method', payment_method, 'name', name, 'channels', channels, 'is_active', is_active)
                         ORDER BY place), '[]')
FROM (SELECT payment_method, min(method_name) AS name, min(place) AS place, bool_or(is_active) AS is_active,
          json_agg(json_build_object('code', channel_code, 'name', payment_types.name) ORDER BY place) AS channels
      FROM payment_types GROUP BY payment_method) AS ways

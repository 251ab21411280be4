-- POINTS-21: other levels in place of all there are.
-- $1 array of {name, tier, minPoints, perks}
-- One row: the levels as they are now.
SELECT set_levels($1::jsonb)->'levels'

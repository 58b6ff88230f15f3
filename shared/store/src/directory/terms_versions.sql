select coalesce(jsonb_agg(to_jsonb(t) order by t.version desc), '[]')
from (select * from terms
      where client = $1 and product_id = $2
      order by version desc limit 100) t

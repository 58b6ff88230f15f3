select (select count(*) from cohort) as purchases,
       (select count(*) = 50000 and min(n.created_at) > $1 from newest n) as is_cut

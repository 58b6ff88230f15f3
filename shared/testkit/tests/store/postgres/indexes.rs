//! What the catalogue says of indexes.

use fleet_testkit::TestDatabase;

/// Texts of an index, with all that limits them. Of a partition its table tells.
const TEXTS: &str = "
    select format('%s.%s', t.relname, a.attname),
           coalesce(string_agg(pg_get_constraintdef(c.oid), ' and ' order by c.oid), '')
    from (select distinct indrelid, unnest(indkey) as place from pg_index) i
    join pg_class t on t.oid = i.indrelid and not t.relispartition
        and t.relnamespace = 'public'::regnamespace
    join pg_attribute a on a.attrelid = t.oid and a.attnum = i.place
        and a.atttypid = 'text'::regtype
    left join pg_constraint c on c.conrelid = t.oid and a.attnum = any (c.conkey)
        and c.contype in ('c', 'f')
    group by 1 order by 1";

/// Forms of a cap: a length, a pattern with an end, a list of words, another table's key.
fn is_cap(limits: &str, column: &str) -> bool {
    limits.contains(&format!("length({column}) <= "))
        || limits.contains(&format!("({column} ~ '^"))
        || limits.contains(&format!("({column} = ANY (ARRAY["))
        || limits.contains(&format!("FOREIGN KEY ({column})"))
}

#[tokio::test]
async fn every_text_of_an_index_has_a_cap() {
    let database = TestDatabase::create().await.unwrap();
    let mut connection = database.connection().await.unwrap();
    let texts: Vec<(String, String)> =
        sqlx::query_as(TEXTS).fetch_all(&mut connection).await.unwrap();
    assert!(texts.len() > 20, "{texts:?}");
    let open = texts.iter().filter(|(name, limits)| {
        let (_, column) = name.split_once('.').unwrap();
        !is_cap(limits, column)
    });
    let open: Vec<_> = open.collect();
    assert!(open.is_empty(), "no cap: {open:#?}");
}

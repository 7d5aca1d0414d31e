//! How lists are found: by a search of an index that has them in their order, which costs no more the more files there are. The databases'
//! own words are asked for, of the very statement that a list is.

use anyhow::{Context, Result};
use reelgate_common::{
    db::FileFilter,
    listing::{Sort, SortBy},
};

use super::{on_both, setup::*};

on_both!(a_page_is_one_search_of_the_index_of_its_order);

/// Enough of both that looking at all files, or at all of an organisation's, costs more than the right index.
const ORGS: u32 = 40;
const FILES: u32 = 20_000;

/// The index that has the files of an organisation in this order. `updated_at` has none, for it would be written at each step of each file
/// (docs/files.md).
const fn intended(by: SortBy) -> Option<&'static str> {
    match by {
        SortBy::CreatedAt => Some("files_by_creation"),
        SortBy::Size => Some("files_by_size"),
        SortBy::Name => Some("files_by_name"),
        SortBy::UpdatedAt => None,
    }
}

/// Many files of many organisations; `org-0` is one of them.
async fn fill(place: &Place) -> Result<()> {
    let file = waiting(&place.db, &org("model")).await?.0;
    place.multiply_file(file, FILES, ORGS).await?;
    place.tamper("ANALYZE").await
}

async fn a_page_is_one_search_of_the_index_of_its_order(place: Place) -> Result<()> {
    fill(&place).await?;
    let (db, of) = (&place.db, org("org-0"));
    for word in Sort::ALL {
        let sort: Sort = word.parse()?;
        let first = FileFilter { sort, limit: 50, ..FileFilter::default() };
        let last = db.list_files(&of, &first).await?.pop().context("nothing is listed")?;
        let next = FileFilter { after: Some(sort.place_of(&last.file)), ..first.clone() };
        for (page, filter) in [("first", first), ("next", next)] {
            let plan = db.explain_files(&of, &filter).await?;
            let wrong = objections(&plan, intended(sort.by));
            assert!(wrong.is_empty(), "{word}, {page} page: {wrong:?}\n{}", plan.join("\n"));
        }
    }
    Ok(())
}

/// What is wrong with a plan of either database. Without an index for its order a list is sorted, but only what its organisation has.
fn objections(plan: &[String], index: Option<&str>) -> Vec<String> {
    let looks_at_all = |line: &&String| line.trim_start().starts_with("SCAN ") || line.contains("Seq Scan");
    let sorts = |line: &&String| {
        line.contains("USE TEMP B-TREE") || line.trim_start_matches([' ', '-', '>']).starts_with("Sort")
    };
    let mut wrong: Vec<String> = plan.iter().filter(looks_at_all).map(|line| format!("all files: {line}")).collect();
    if let Some(index) = index {
        wrong.extend(plan.iter().filter(sorts).map(|line| format!("sorts: {line}")));
        let searches = |line: &String| {
            line.contains(&format!("USING INDEX {index} ("))
                || line.contains("Index Scan") && line.contains(&format!("using {index} "))
        };
        if !plan.iter().any(searches) {
            wrong.push(format!("does not search {index}"));
        }
    } else if !plan.iter().any(|line| sorts(&line)) {
        wrong.push("is not sorted: then say by which index".to_owned());
    }
    wrong
}

#[test]
fn a_plan_that_sorts_or_looks_at_all_is_told() {
    let plan = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let index = Some("files_by_name");
    for good in [
        plan(&["SEARCH files USING INDEX files_by_name (org_id=? AND name_key>?)"]),
        plan(&["Limit  (cost=0.29..1)", "  ->  Index Scan Backward using files_by_name on files  (cost=0.29..1)"]),
    ] {
        assert_eq!(objections(&good, index), [""; 0]);
    }
    for (bad, count) in [
        (plan(&["SCAN files", "USE TEMP B-TREE FOR ORDER BY"]), 3),
        (plan(&["SEARCH files USING INDEX files_usage (org_id=?)", "USE TEMP B-TREE FOR ORDER BY"]), 2),
        (plan(&["Limit", "  ->  Sort", "        ->  Seq Scan on files"]), 3),
        (plan(&["SEARCH files USING INDEX files_by_name_and_more (org_id=?)"]), 1),
    ] {
        assert_eq!(objections(&bad, index).len(), count, "{bad:?}");
    }
    assert_eq!(
        objections(&plan(&["SEARCH files USING INDEX x (org_id=?)", "USE TEMP B-TREE FOR ORDER BY"]), None),
        [""; 0]
    );
}

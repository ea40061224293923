//! The order in which a plugin's modules are instantiated. The modules that a module imports from come before it.
//! Functions can be imported in a circle, because a trampoline can be imported before its target exists. Memories,
//! tables, globals and tags cannot.

/// The modules that one module imports from, by index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edges {
    /// The modules from which it imports functions.
    pub(crate) soft: Vec<usize>,
    /// The modules from which it imports anything else.
    pub(crate) hard: Vec<usize>,
}

impl Edges {
    fn all(&self) -> impl Iterator<Item = usize> {
        self.soft.iter().chain(&self.hard).copied()
    }
}

/// The order or, if there is none, the circle of imports that prevents it. Its first module is also its last.
pub(crate) fn order(edges: &[Edges]) -> Result<Vec<usize>, Vec<usize>> {
    let mut order = Vec::with_capacity(edges.len());
    let mut placed = vec![false; edges.len()];
    while let Some(mut circle) = next_circle(edges, &placed) {
        // Within a circle, the next module is one that imports nothing but functions from modules that are not placed yet.
        while !circle.is_empty() {
            let ready = |module: &usize| edges[*module].hard.iter().all(|&needed| placed[needed]);
            let Some(at) = circle.iter().position(ready) else {
                return Err(hard_circle(edges, &placed));
            };
            let module = circle.remove(at);
            placed[module] = true;
            order.push(module);
        }
    }
    Ok(order)
}

/// Modules that are not yet placed and import only from each other. Mostly this is a single module.
fn next_circle(edges: &[Edges], placed: &[bool]) -> Option<Vec<usize>> {
    (0..edges.len())
        .filter(|&module| !placed[module])
        .find_map(|module| {
            let others = reach(edges, placed, module);
            let all_come_back = others
                .iter()
                .all(|&other| reach(edges, placed, other).contains(&module));
            all_come_back.then(|| {
                let mut circle = others;
                circle.push(module);
                circle.sort_unstable();
                circle.dedup();
                circle
            })
        })
}

/// The modules that are not yet placed and that `from` imports from, directly or through others.
fn reach(edges: &[Edges], placed: &[bool], from: usize) -> Vec<usize> {
    let (mut found, mut open) = (Vec::new(), vec![from]);
    while let Some(module) = open.pop() {
        for next in edges[module].all().filter(|&next| !placed[next]) {
            if !found.contains(&next) {
                found.push(next);
                open.push(next);
            }
        }
    }
    found
}

/// A circle in which something that is not a function is imported.
fn hard_circle(edges: &[Edges], placed: &[bool]) -> Vec<usize> {
    for from in (0..edges.len()).filter(|&module| !placed[module]) {
        for &needed in edges[from].hard.iter().filter(|&&needed| !placed[needed]) {
            if let Some(mut back) = path(edges, needed, |module| module == from) {
                back.insert(0, from);
                return back;
            }
        }
    }
    Vec::new()
}

/// The shortest chain of imports from a module to one that `wanted` accepts, with both ends.
pub(crate) fn path(
    edges: &[Edges],
    from: usize,
    wanted: impl Fn(usize) -> bool,
) -> Option<Vec<usize>> {
    let mut ways = std::collections::VecDeque::from([vec![from]]);
    let mut seen = vec![from];
    while let Some(way) = ways.pop_front() {
        let end = *way.last()?;
        if wanted(end) {
            return Some(way);
        }
        for next in edges[end].all() {
            if !seen.contains(&next) {
                seen.push(next);
                ways.push_back([&way[..], &[next]].concat());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soft(modules: &[usize]) -> Edges {
        Edges {
            soft: modules.to_vec(),
            hard: vec![],
        }
    }

    fn hard(modules: &[usize]) -> Edges {
        Edges {
            soft: vec![],
            hard: modules.to_vec(),
        }
    }

    #[test]
    fn modules_come_after_those_they_import_from() {
        let edges = [soft(&[1]), soft(&[2]), soft(&[])];
        assert_eq!(order(&edges), Ok(vec![2, 1, 0]));
    }

    #[test]
    fn a_circle_of_functions_comes_before_the_modules_that_import_from_it() {
        let edges = [soft(&[1]), soft(&[2]), soft(&[1]), soft(&[3])];
        assert_eq!(order(&edges), Ok(vec![1, 2, 0, 3]));
    }

    #[test]
    fn in_a_circle_the_exporter_of_a_memory_comes_before_its_importer() {
        let edges = [soft(&[1]), hard(&[0])];
        assert_eq!(order(&edges), Ok(vec![0, 1]));
        let edges = [hard(&[1]), soft(&[0])];
        assert_eq!(order(&edges), Ok(vec![1, 0]));
    }

    #[test]
    fn a_circle_without_functions_is_an_error_that_names_its_modules() {
        assert_eq!(order(&[hard(&[1]), hard(&[0])]), Err(vec![0, 1, 0]));
        assert_eq!(order(&[hard(&[0])]), Err(vec![0, 0]));
    }
}

/// Has `body` done for each element, for at most `width` at one time; the results are in the order of the elements.
func concurrently<Element: Sendable, Result: Sendable>(
    _ elements: [Element],
    width: Int,
    _ body: @escaping @Sendable (Element) async -> Result
) async -> [Result] {
    await withTaskGroup(of: (Int, Result).self) { group in
        var results = [Result?](repeating: nil, count: elements.count)
        for (index, element) in elements.enumerated() {
            if index >= width, let (done, result) = await group.next() { results[done] = result }
            group.addTask { (index, await body(element)) }
        }
        for await (done, result) in group { results[done] = result }
        return results.compactMap(\.self)
    }
}

import Synchronization

/// One series of a metric: a number that any thread adds to, without a lock.
///
/// Whoever counts the same thing again and again keeps it, and spares the search for its labels; see
/// ``Metrics/counter(of:_:)``.
package final class Counter: Sendable {
    private let number: Atomic<Int>

    init(_ value: Int) {
        number = Atomic(value)
    }

    package func add(_ amount: Int = 1) {
        // Nothing else is read after it.
        number.wrappingAdd(amount, ordering: .relaxed)
    }

    func set(to value: Int) {
        number.store(value, ordering: .relaxed)
    }

    var value: Int { number.load(ordering: .relaxed) }
}

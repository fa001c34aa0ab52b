import LMDB
import MirrorCore

// How the tables `uses` and `recency` are changed: together, so that an object with a use is in the order once.

extension WriteTransaction {
    borrowing func use(of object: ObjectKey, in tables: Tables) throws(LMDBError) -> UseRecord? {
        let key = object.use
        return try withValue(for: key.span, in: tables.uses) { UseRecord(record: $0) } ?? nil
    }

    mutating func setUse(of object: ObjectKey, to record: UseRecord, in tables: Tables) throws(LMDBError) {
        if let old = try use(of: object, in: tables), old.use != record.use {
            let key = object.recency(old.use)
            try delete(key.span, in: tables.recency)
        }
        let (useKey, recencyKey) = (object.use, object.recency(record.use))
        let nothing: [UInt8] = []
        try put(record.record.span, for: useKey.span, in: tables.uses)
        try put(nothing.span, for: recencyKey.span, in: tables.recency)
    }

    mutating func removeUse(of object: ObjectKey, in tables: Tables) throws(LMDBError) {
        if let old = try use(of: object, in: tables) {
            let key = object.recency(old.use)
            try delete(key.span, in: tables.recency)
        }
        let key = object.use
        try delete(key.span, in: tables.uses)
    }

    /// Writes uses of objects; those that are not stored any more have none.
    mutating func fold(_ uses: [ObjectKey: Use], at now: WallTime, in tables: Tables) throws(LMDBError) {
        for (object, use) in uses {
            guard var record = try self.use(of: object, in: tables), record.use < use else { continue }
            record.use = use
            record.usedAt = now
            try setUse(of: object, to: record, in: tables)
        }
    }

    /// Gives objects the places that eviction found for them, but for those that were used since.
    mutating func apply(_ moves: [RecencyMove], in tables: Tables) throws(LMDBError) {
        for move in moves {
            guard var record = try use(of: move.object, in: tables), record.use == move.from else {
                // An entry that no use knows is of an object that is gone.
                let key = move.object.recency(move.from)
                try delete(key.span, in: tables.recency)
                continue
            }
            guard let use = move.to else {
                try removeUse(of: move.object, in: tables)
                continue
            }
            record.use = use
            record.usedAt = max(record.usedAt, move.usedAt ?? record.usedAt)
            try setUse(of: move.object, to: record, in: tables)
        }
    }
}

/// A change of an object's place in the order of use that is no use of its own.
struct RecencyMove: Hashable, Sendable {
    var object: ObjectKey
    var from: Use
    /// `nil` where the object itself is gone.
    var to: Use?
    /// When what references it was used, if that is why.
    var usedAt: WallTime?
}

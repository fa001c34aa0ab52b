import MirrorCore

/// Keeps nothing: for asking an upstream where there is no data directory to keep the answer in.
struct ForgetfulLedgerStore: LedgerStore {
    func quotaRecords() -> [QuotaAccount: QuotaRecord] { [:] }
    func post(_ changes: [IndexChange]) {}
    func commit(_ changes: [IndexChange]) async throws(IndexError) {}
}

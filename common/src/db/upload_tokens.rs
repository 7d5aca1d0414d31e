//! Tokens for uploads without the user's credentials. How often one may still be used is counted down where the upload's rows are
//! made, in the same transaction.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, sea_query::Expr, sea_query::ExprTrait};

use super::{
    Db, DbError,
    entity::{signed, upload_tokens},
    transaction::WriteTx,
};
use crate::resumable::UploadToken;

impl Db {
    /// Keeps a token under the digest of its secret.
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_upload_token(&self, digest: &str, token: &UploadToken) -> Result<(), DbError> {
        let row = upload_tokens::ActiveModel {
            token: Set(digest.to_owned()),
            org_id: Set(token.org_id.as_str().to_owned()),
            owner_id: Set(token.owner_id.as_str().to_owned()),
            max_bytes: Set(signed(token.max_bytes)),
            content_type: Set(token.content_type.clone()),
            metadata: Set(token.metadata.clone()),
            uploads_left: Set(signed(token.uploads_left)),
            expires_at: Set(token.expires_at.0),
        };
        self.in_time(async {
            let tx = self.write().await?;
            upload_tokens::Entity::insert(row).exec_without_returning(&*tx).await?;
            tx.commit().await
        })
        .await
    }

    /// The token with this digest, if it lives.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_upload_token(&self, digest: &str) -> Result<Option<UploadToken>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let row = upload_tokens::Entity::find_by_id(digest)
                .filter(upload_tokens::Column::ExpiresAt.gt(now.0))
                .one(&self.connection)
                .await?;
            row.map(upload_tokens::Model::into_token).transpose()
        })
        .await
    }

    /// Forgets those that have expired; how many.
    ///
    /// # Errors
    /// The database is away.
    pub async fn purge_upload_tokens(&self) -> Result<u64, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let old = upload_tokens::Entity::delete_many().filter(upload_tokens::Column::ExpiresAt.lte(tx.now.0));
            let purged = old.exec(&*tx).await?.rows_affected;
            tx.commit().await?;
            Ok(purged)
        })
        .await
    }
}

/// Takes one use of it; false when there is none left.
pub(super) async fn spend(tx: &WriteTx, digest: &str) -> Result<bool, DbError> {
    let spent = upload_tokens::Entity::update_many()
        .col_expr(upload_tokens::Column::UploadsLeft, Expr::col(upload_tokens::Column::UploadsLeft).sub(1))
        .filter(upload_tokens::Column::Token.eq(digest))
        .filter(upload_tokens::Column::ExpiresAt.gt(tx.now.0))
        .filter(upload_tokens::Column::UploadsLeft.gt(0))
        .exec(&**tx)
        .await?;
    Ok(spent.rows_affected == 1)
}

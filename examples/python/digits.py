"""A real model: a scikit-learn pipeline that reads handwritten digits, trained on the data that scikit-learn brings along.

Training takes about a second and the libraries a hundred megabytes. Here it happens once in each dirty worker; web workers
import nothing of it.
"""

from dirty_arbiter import DirtyApp


class Digits(DirtyApp):
    def init(self):
        from sklearn.datasets import load_digits
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler

        digits = load_digits()
        self.images = digits.data
        self.labels = digits.target
        self.model = make_pipeline(MinMaxScaler(), RandomForestClassifier(n_estimators=100, random_state=0))
        self.model.fit(digits.data[:1500], digits.target[:1500])

    def sample(self, number):
        """One of the images that the model has not seen: 64 pixels from 0 to 16, and what it shows."""
        at = 1500 + number % (len(self.images) - 1500)
        return {"pixels": self.images[at].tolist(), "label": int(self.labels[at])}

    def read(self, pixels):
        """The digit that an image shows, and how sure the model is."""
        (probabilities,) = self.model.predict_proba([pixels])
        digit = int(probabilities.argmax())
        return {"digit": digit, "probability": float(probabilities[digit])}

    def read_many(self, images):
        """The same for many images, each as soon as it is read."""
        for pixels in images:
            yield self.read(pixels)
